/** Audio as input of a model, the public door of `lstm-native/audio`: exports only. */
export { type LogMelOptions, logMel, melFilters } from './log-mel.ts'
export { readWav, type Wave, type WaveExpected } from './wav.ts'
