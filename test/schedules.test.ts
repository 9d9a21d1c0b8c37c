import { readFileSync } from 'node:fs'
import { cosine, type Position, plateau, type Schedule, stepDecay, warmUp } from 'lstm-native'
import { describe, expect, it } from 'vitest'

const golden = JSON.parse(readFileSync(new URL('fixtures/training/schedules.json', import.meta.url), 'utf8'))

/** The rates before each of 12 epochs of one step. */
function rates(schedule: Schedule, losses: number[] = Array(12).fill(1)): number[] {
  const running = schedule.begin()
  return losses.map((loss, epoch) => {
    const rate = running.rate({ base: 0.4, step: epoch, epoch, steps: 12, epochs: 12 })
    running.endEpoch?.(loss)
    return rate
  })
}

function expectRates(found: number[], expected: number[]): void {
  expect(found).toHaveLength(expected.length)
  // PyTorch multiplies the rate anew in each epoch, a rounding of 1.1e-16 each; these are closed forms.
  for (const [n, rate] of expected.entries()) expect(Math.abs(found[n] - rate)).toBeLessThan(2e-15)
}

describe('a schedule agrees with PyTorch', () => {
  it('stepDecay with StepLR', () =>
    expectRates(rates(stepDecay({ every: 4, factor: 0.5 })), golden.stepDecay))
  it('cosine with CosineAnnealingLR, in steps and in epochs', () => {
    expectRates(rates(cosine({ minimum: 0.01 })), golden.cosine)
    expectRates(rates(cosine({ minimum: 0.01, length: 12, unit: 'epoch' })), golden.cosine)
  })
  it('warmUp with LinearLR', () => expectRates(rates(warmUp({ length: 4, start: 0.25 })), golden.warmUp))
  it('plateau with ReduceLROnPlateau', () => {
    const { losses, rates: expected } = golden.plateau
    expectRates(rates(plateau({ factor: 0.5, patience: 2 }), losses), expected)
  })
})

describe('a schedule', () => {
  it('keeps the lowest rate once it has been reached', () => {
    const running = cosine({ length: 3, minimum: 0.1 }).begin()
    const at = (step: number) => running.rate({ base: 1, step, epoch: 0, epochs: 1 })
    expect([at(3), at(4), at(100)]).toEqual([0.1, 0.1, 0.1])
    const flat = rates(plateau({ factor: 0.5, patience: 0, minimum: 0.15 }))
    expect(flat.slice(0, 4)).toEqual([0.4, 0.4, 0.2, 0.15])
  })

  it('after a warm-up counts from its end', () => {
    const found = rates(warmUp({ length: 2, next: cosine() }))
    expect(found.slice(0, 3)).toEqual([0.2, 0.30000000000000004, 0.4])
    const rest = { base: 0.4, step: 5, epoch: 0, steps: 10, epochs: 1 }
    expect(found[7]).toBe(cosine().begin().rate(rest))
  })

  it('starts anew in each run, and goes on from its state', () => {
    const schedule = warmUp({ length: 1, next: plateau({ factor: 0.5, patience: 0 }) })
    const position: Position = { base: 1, step: 9, epoch: 9, epochs: 20 }
    const first = schedule.begin()
    for (const loss of [1, 1, 1]) first.endEpoch!(loss)
    expect(first.rate(position)).toBe(0.25)
    const second = schedule.begin()
    expect(second.rate(position)).toBe(1)
    second.state = JSON.parse(JSON.stringify(first.state))
    expect(second.rate(position)).toBe(0.25)
    second.endEpoch!(1)
    expect([second.rate(position), first.rate(position)]).toEqual([0.125, 0.25])
  })

  it('refuses what it cannot use', () => {
    expect(() => stepDecay({ every: 0 })).toThrow(/stepDecay: expected every to be a positive integer, got 0/)
    expect(() => cosine({ unit: 'epochs' as 'epoch' })).toThrow(/expected unit 'epoch' or 'step', got epochs/)
    expect(() => plateau({ patients: 1 } as object)).toThrow(
      /unknown option "patients"; did you mean "patience"/,
    )
    const endless = cosine().begin()
    expect(() => endless.rate({ base: 1, step: 0, epoch: 0, epochs: 1 })).toThrow(
      /give length, or unit: 'epoch'/,
    )
  })
})
