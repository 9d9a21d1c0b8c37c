/** Numbers out of the text that a server shows at /metrics. */

/** The sum of a metric over all its labels; 0 where there is none. */
export function sumOf(text: string, metric: string): number {
  let sum = 0
  for (const line of text.split('\n')) {
    const match = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line)
    if (match?.[1] === metric) sum += Number(match[2])
  }
  return sum
}

/** Rows a batch, of the batches between two readings; NaN where there were none. */
export function meanBatchSize(before: string, after: string): number {
  const grown = (metric: string) => sumOf(after, metric) - sumOf(before, metric)
  return grown('lstm_batch_size_sum') / grown('lstm_batch_size_count')
}
