/** Texts for models of tokens, the public door of `lstm-native/text`: exports only. */
export {
  type CharacterVocabularyOptions,
  characterVocabulary,
  type WordVocabularyOptions,
  wordVocabulary,
} from './build.ts'
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
