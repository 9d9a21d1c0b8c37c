/** How training is shown: a bar that redraws itself on a screen, a line an epoch elsewhere. */
import { Presets, SingleBar } from 'cli-progress'
import type { BatchProgress, Epoch } from '../training/epoch.ts'
import { count, duration, type Terminal } from './terminal.ts'

export interface Progress {
  batch(progress: BatchProgress): void
  epoch(epoch: Epoch): void
  end(): void
}

export function progressOn(terminal: Terminal): Progress {
  return terminal.isInteractive ? bar() : lines(terminal)
}

function bar(): Progress {
  const line = new SingleBar(
    {
      format: 'epoch {epoch} {bar} loss {loss}  validation {validation}  {rate} windows/s  {left} left',
      barsize: 24,
      hideCursor: true,
      stream: process.stderr,
      // Redrawn at most ten times a second: drawing must not slow training down.
      fps: 10,
    },
    Presets.rect,
  )
  let validation = '–'
  let isStarted = false
  return {
    batch({ epoch, epochs, batch, batches = batch, meanLoss, samplesPerSecond, secondsLeft }) {
      const shown = {
        epoch: `${epoch}/${epochs}`,
        loss: meanLoss.toFixed(4),
        validation,
        rate: count(Math.round(samplesPerSecond)),
        left: secondsLeft === undefined ? '–' : duration(secondsLeft),
      }
      const done = (epoch - 1) * batches + batch
      if (isStarted) line.update(done, shown)
      else line.start(epochs * batches, done, shown)
      isStarted = true
    },
    epoch({ validationLoss }) {
      validation = validationLoss?.toFixed(4) ?? '–'
    },
    end() {
      line.stop()
    },
  }
}

function lines(terminal: Terminal): Progress {
  let left: number | undefined
  return {
    batch({ secondsLeft }) {
      left = secondsLeft
    },
    epoch({ number, epochs, loss, validationLoss, samplesPerSecond }) {
      const parts = [
        `epoch ${number}/${epochs}`,
        `loss ${loss.toFixed(4)}`,
        validationLoss !== undefined && `validation ${validationLoss.toFixed(4)}`,
        `${count(Math.round(samplesPerSecond))} windows/s`,
        left !== undefined && `${duration(left)} left`,
      ]
      terminal.error(`${parts.filter(Boolean).join('  ')}\n`)
    },
    end() {},
  }
}
