/** Ctrl-C as a signal to work that can stop at a good place. */

/**
 * Runs with a signal that the process's first SIGINT aborts; the second one ends the process.
 *
 * @param options.reason what the signal's reason is; default an AbortError
 */
export async function interruptible<Result>(
  run: (signal: AbortSignal) => Promise<Result>,
  { reason, onInterrupt }: { reason?: Error; onInterrupt: () => void },
): Promise<Result> {
  const interruption = new AbortController()
  const stop = () => {
    interruption.abort(reason)
    onInterrupt()
  }
  process.once('SIGINT', stop)
  try {
    return await run(interruption.signal)
  } finally {
    process.removeListener('SIGINT', stop)
  }
}
