/** Vocabularies: from text to indices and back. What an `Embedding` reads, and what `generate` writes. */

/** A vocabulary as JSON has it, for files: what `vocabularyFromJSON` takes. */
export interface VocabularyJSON {
  version: 1
  kind: 'characters' | 'words' | 'tokenizer'
  [name: string]: unknown
}

export interface EncodeOptions {
  /** Begins with the start token; default false. */
  start?: boolean
  /** Ends with the end token; default false. */
  end?: boolean
}

export interface DecodeOptions {
  /** Whether special tokens are written out; default false: they are left out. */
  specials?: boolean
}

/** The tokens that stand for no text, as texts; those left out there are not. */
export interface SpecialTokens {
  /** Fills up sequences that are shorter than others of their batch. */
  padding?: string
  /** Stands for every token that is not in the vocabulary. */
  unknown?: string
  /** Comes before a text. */
  start?: string
  /** Comes after a text. */
  end?: string
}

export type SpecialIndices = { readonly [name in keyof SpecialTokens]?: number }

/** Tokens and their indices, 0 to size - 1. */
export interface Vocabulary {
  readonly kind: VocabularyJSON['kind']
  /** V: how many tokens there are, special ones included. */
  readonly size: number
  /** The indices of the special tokens; undefined for those there are none of. */
  readonly specials: SpecialIndices
  /** @throws {RangeError} for a token that is not in it, where it has no unknown token; and for a special token it has not */
  encode(text: string, options?: EncodeOptions): Int32Array
  /** @throws {RangeError} for an index that is none of its tokens' */
  decode(indices: ArrayLike<number>, options?: DecodeOptions): string
  /** The token at an index. @throws {RangeError} if there is none */
  tokenAt(index: number): string
  /** The index of a token; undefined if it is not in it. */
  indexOf(token: string): number | undefined
  /**
   * Where a long text may be cut, so that both parts have together the tokens of the whole: the last such position above 0,
   * in UTF-16 units; 0 where there is none.
   */
  lastCut(text: string): number
  toJSON(): VocabularyJSON
}
