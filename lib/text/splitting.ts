/** How texts become tokens, and tokens texts. */

/**
 * `characters`: Unicode code points. `whitespace`: what stands between white space, for texts whose tokens are apart already.
 * `words`: runs of letters and digits, with apostrophes inside, and every other visible character alone.
 */
export type Splitting = 'characters' | 'whitespace' | 'words'

interface Rule {
  split(text: string): Iterable<string>
  /** Between tokens, when they become a text again. */
  between: string
  /** See `Vocabulary.lastCut`. */
  lastCut(text: string): number
}

const word = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{M}\p{N}]/gu

export const splittings: Readonly<Record<Splitting, Rule>> = {
  characters: {
    // A string's iterator goes by code points.
    split: (text) => text,
    between: '',
    lastCut: (text) => (isHighSurrogate(text.charCodeAt(text.length - 1)) ? text.length - 1 : text.length),
  },
  whitespace: { split: (text) => text.match(/\S+/gu) ?? [], between: ' ', lastCut: lastSpace },
  words: { split: (text) => text.match(word) ?? [], between: ' ', lastCut: lastSpace },
}

/** Where the last run of white space begins; 0 where there is none. */
export function lastSpace(text: string): number {
  let end = text.length
  while (end > 0 && !/\s/u.test(text[end - 1])) end--
  while (end > 0 && /\s/u.test(text[end - 1])) end--
  return end
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00
}
