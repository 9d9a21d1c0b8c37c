/** What generation in all its ways has in common. */
import type { IsAtEnd } from './stopping.ts'
import type { TokenSource } from './token-source.ts'

/** `stop`: a stop condition holds. `length`: maxLength tokens. `aborted`: the signal, or a loop over the tokens that was left. */
export type Stopped = 'stop' | 'length' | 'aborted'

export interface GeneratedSequence {
  /** Without the prompt; what met the stop condition is the end of it. */
  tokens: readonly number[]
  /** Σ_t log p(token_t | what came before), of the model's own distribution, whatever was made of it to draw. */
  logProbability: number
  /** What beams are ranked by: logProbability / ((5 + tokens) / 6)^lengthPenalty. */
  score: number
  stopped: Stopped
}

/** What to go by. */
export interface SearchSettings {
  model: TokenSource
  /** What is read before the first token; not empty. */
  prompt: readonly number[]
  maxLength: number
  isAtEnd: IsAtEnd
}

export interface Search {
  /** Those that stand fast. */
  readonly tokens: readonly number[]
  /** Goes on by a token. @returns whether that was the last */
  step(signal: AbortSignal | undefined): Promise<boolean>
  /** What there is, the best first. */
  results(): GeneratedSequence[]
  /** Gives the streams back. */
  close(): void
}

export function stoppedAt(
  tokens: readonly number[],
  { isAtEnd, maxLength }: SearchSettings,
): Stopped | undefined {
  if (isAtEnd(tokens)) return 'stop'
  return tokens.length === maxLength ? 'length' : undefined
}
