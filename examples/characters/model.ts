/** The network: a vector for each character, LSTM layers with dropout between them, and what character follows. */
import { Dropout, Embedding, Linear, LSTM, Sequential } from 'lstm-native'

export interface Size {
  units: number
  /** Of what each layer hands on, while training. */
  dropout: number
}

export function characterModel(vocabularySize: number, { units, dropout }: Size): Sequential {
  const embeddingSize = 64
  return new Sequential([
    new Embedding({ vocabularySize, embeddingSize }),
    new LSTM({ inputSize: embeddingSize, hiddenSize: units, numLayers: 2, dropout }),
    new Dropout({ probability: dropout }),
    new Linear({ inputSize: units, outputSize: vocabularySize }),
  ])
}
