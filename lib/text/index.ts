/** Texts for models of tokens, the public door of `lstm-native/text`: exports only. */

export { textLines } from './blocks.ts'
export {
  type CharacterVocabularyOptions,
  characterVocabulary,
  type WordVocabularyOptions,
  wordVocabulary,
} from './build.ts'
export { type Corpus, type CorpusOptions, openCorpus } from './corpus.ts'
export { type LineDataSet, type LineDataSetOptions, openLines } from './lines.ts'
export { loadVocabulary, vocabularyFromJSON, vocabularyMetadata } from './stored.ts'
export { loadTokenizer } from './tokenizer.ts'
export type {
  DecodeOptions,
  EncodeOptions,
  SpecialIndices,
  SpecialTokens,
  Vocabulary,
  VocabularyJSON,
} from './vocabulary.ts'
export { loadWordVectors, type WordVectorsFound, type WordVectorsOptions } from './word-vectors.ts'
