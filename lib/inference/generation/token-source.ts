/** What generation reads tokens into: a model, whatever its kind, that tells what may come next. */

/** A sequence under way: what the model carries from token to token. */
export interface TokenStream {
  /** Given to another stream of the same source, that one goes on from here, too. */
  state: unknown
  close(): void
}

export interface TokenSource<S extends TokenStream = TokenStream> {
  /** Tokens are below it. */
  readonly vocabulary: number
  stream(): S
  /**
   * Reads tokens, all at once, and writes the distribution of the one that follows: its log-probabilities
   * log p_i = z_i − log Σ_j exp z_j.
   *
   * @param step tokens generated before, for messages
   * @throws {NonFiniteOutputError} if an output is NaN or infinite, but for −∞, or no token has a probability
   */
  read(
    stream: S,
    tokens: readonly number[],
    step: number,
    signal: AbortSignal | undefined,
    result: Float64Array,
  ): Promise<void>
  /** @throws {RangeError} if a token is none that the model can read */
  requireReadable(name: string, tokens: readonly number[]): void
}
