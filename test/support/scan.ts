/** Files with a Scan, for tests. */
import { expect } from 'vitest'
import { FileFormatError } from '../../lib/index.ts'
import { type Attribute, body, type GraphOptions, node, onnxFile, value } from './onnx.ts'

/** The state is the sum so far, the output as well. */
export const sums = body(
  ['h', 'x'],
  [node('Add', ['h', 'x'], ['next']), node('Identity', ['next'], ['y'])],
  ['next', 'y'],
)
export const scan = (
  attributes: Record<string, Attribute>,
  inputs = ['h0', 'xs'],
  outputs = ['last', 'all'],
) => node('Scan', inputs, outputs, { num_scan_inputs: 1, body: sums, ...attributes })

export function file(options: Partial<GraphOptions> = {}): Uint8Array {
  return onnxFile({
    nodes: [scan({})],
    inputs: [value('h0', ['F']), value('xs', ['T', 'F'])],
    outputs: ['last', 'all'],
    ...options,
  })
}

/** What a call throws, which must be a FileFormatError. */
export function refusal(call: () => unknown): { code: string; message: string } {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError)
    const { code, message } = error as FileFormatError
    return { code, message }
  }
  throw new Error('nothing was refused')
}

/** As errors name the node. */
export const place = 'node "the Scan" (Scan, opset 17)'
