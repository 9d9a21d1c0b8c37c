/** The operators of the default domain that graphs may use. */
import { arithmeticOperators } from './arithmetic.ts'
import { convolutionOperators } from './convolution.ts'
import { functionOperators } from './functions.ts'
import { linearOperators } from './linear.ts'
import { lstmOperator } from './lstm.ts'
import type { Operator } from './operator.ts'
import { paddingOperators } from './padding.ts'
import { reductionOperators } from './reductions.ts'
import { rnnOperator } from './rnn.ts'
import { runningOperators } from './running.ts'
import { scanOperator } from './scan.ts'
import { selectionOperators } from './selection.ts'
import { shapeOperators } from './shapes.ts'

/** The newest operator set whose operators are known to mean the same here. */
export const newestOpset = 28

export const operators: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    ...arithmeticOperators,
    ...convolutionOperators,
    ...functionOperators,
    ...linearOperators,
    ...paddingOperators,
    ...reductionOperators,
    ...runningOperators,
    ...selectionOperators,
    ...shapeOperators,
    LSTM: lstmOperator,
    RNN: rnnOperator,
    Scan: scanOperator,
  }),
)
