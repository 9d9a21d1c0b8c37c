/** Scans from strangers: what is refused when a file is loaded. */
import { describe, expect, it } from 'vitest'
import { decodeOnnx } from '../lib/formats/onnx/index.ts'
import { body, node } from './support/onnx.ts'
import { file, place, refusal, scan, sums } from './support/scan.ts'

describe('a file is refused', () => {
  const graphOf = (...parts: Parameters<typeof body>) => ({ body: body(...parts) })
  const doubled = {
    ...scan({}),
    attribute: [...(scan({}) as { attribute: object[] }).attribute].flatMap((each) => [each, each]),
  }
  it.each<[string, object, string, string]>([
    [
      'without a body',
      node('Scan', ['h0', 'xs'], ['last', 'all'], { num_scan_inputs: 1 }),
      'InvalidNode',
      `${place}: the attribute "body" is missing`,
    ],
    [
      'whose body is a number',
      scan({ body: 3 }),
      'InvalidNode',
      'attribute "body": expected the type graph, got type 2',
    ],
    ['with attributes twice', doubled, 'DuplicateName', 'is given twice'],
    [
      'without num_scan_inputs',
      node('Scan', ['h0', 'xs'], ['last', 'all'], { body: sums }),
      'InvalidNode',
      'expected num_scan_inputs from 1 to the 2 inputs, got undefined',
    ],
    ['that scans nothing', scan({ num_scan_inputs: 0 }), 'InvalidNode', 'got 0'],
    ['that scans less than nothing', scan({ num_scan_inputs: -1 }), 'InvalidNode', 'got -1'],
    ['that scans a billion inputs', scan({ num_scan_inputs: 2 ** 30 }), 'InvalidNode', 'got 1073741824'],
    [
      'whose body takes fewer inputs',
      scan(graphOf(['x'], [node('Neg', ['x'], ['y'])], ['y'])),
      'InvalidNode',
      'expected a body of 2 inputs, as the node has, got 1',
    ],
    [
      'whose body gives no state',
      scan({ body: body(['h', 'x', 'z'], [node('Neg', ['x'], ['y'])], ['y']) }, ['h0', 'h0', 'xs']),
      'InvalidNode',
      'expected a body of at least 2 outputs, one for each state, got 1',
    ],
    [
      'that has more outputs than its body',
      scan({}, ['h0', 'xs'], ['last', 'all', 'more']),
      'InvalidNode',
      'expected at most 2 outputs, as the body has, got 3',
    ],
    [
      'with too many axes',
      scan({ scan_input_axes: [0, 0] }),
      'InvalidNode',
      'expected 1 numbers in scan_input_axes, got 2',
    ],
    [
      'with too many directions of outputs',
      scan({ scan_output_directions: [0, 1] }),
      'InvalidNode',
      'expected 1 numbers in scan_output_directions, got 2',
    ],
    [
      'with a third direction',
      scan({ scan_input_directions: [2] }),
      'InvalidNode',
      'expected 0 or 1 in scan_input_directions, got 2',
    ],
    [
      'whose body reads what nothing makes',
      scan(graphOf(['h', 'x'], [node('Add', ['h', 'q'], ['y'])], ['y', 'y'])),
      'InvalidGraph',
      'node "the Scan" (Scan) reads "q", which nothing defines',
    ],
    [
      'whose body gives what nothing makes',
      scan(graphOf(['h', 'x'], [], ['h', 'q'])),
      'InvalidGraph',
      'reads "q"',
    ],
    [
      'whose body has an output without a name',
      scan(graphOf(['h', 'x'], [], ['h', ''])),
      'InvalidGraph',
      'an output of a body has no name',
    ],
    [
      'whose body gives nothing',
      scan(graphOf(['h', 'x'], [], [])),
      'InvalidGraph',
      'the graph has no outputs',
    ],
    [
      'whose body has an unknown operator',
      scan(graphOf(['h', 'x'], [node('GRU', ['x'], ['y'])], ['h', 'y'])),
      'UnsupportedOperator',
      'node "the GRU" (GRU, opset 17)',
    ],
    [
      'whose body runs in a circle',
      scan(graphOf(['h', 'x'], [node('Add', ['x', 'y'], ['y'])], ['h', 'y'])),
      'Cycle',
      'depends on its own output',
    ],
    [
      'whose body reads what the node makes',
      scan(graphOf(['h', 'x'], [node('Add', ['x', 'all'], ['y'])], ['h', 'y'])),
      'Cycle',
      '"the Scan" depends on its own output',
    ],
    [
      'whose body makes a name twice',
      scan(graphOf(['h', 'x'], [node('Neg', ['x'], ['h'])], ['h', 'x'])),
      'DuplicateName',
      '"h" is defined twice',
    ],
  ])('%s', (_, wrong, code, message) => {
    const bytes = file({ nodes: [wrong] })
    const { code: got, message: told } = refusal(() => decodeOnnx(bytes))
    expect([got, told]).toEqual([code, expect.stringContaining(message)])
  })

  it('of opset 8, whose Scan had an axis for the batch', () => {
    const { code, message } = refusal(() => decodeOnnx(file({ opset: 8 })))
    expect([code, message]).toEqual([
      'UnsupportedOpset',
      expect.stringContaining('(Scan, opset 8): expected an opset from 9 on'),
    ])
  })

  it('whose bodies nest without end', () => {
    let inner = sums
    for (let i = 0; i < 10; i++)
      inner = body(
        ['h', 'x'],
        [node('Scan', ['h', 'x'], ['a', 'b'], { num_scan_inputs: 1, body: inner })],
        ['a', 'b'],
      )
    expect(refusal(() => decodeOnnx(file({ nodes: [scan({ body: inner })] }))).code).toBe('TooDeep')
  })

  it('with a function whose body calls the function', () => {
    const call = (input: string, output: string) => ({ ...node('F', [input], [output]), domain: 'own' })
    const inside = body(['x'], [call('x', 'y')], ['y'])
    const nodes = [node('Scan', ['a'], ['b'], { num_scan_inputs: 1, body: inside })]
    const functions = [
      {
        name: 'F',
        domain: 'own',
        input: ['a'],
        output: ['b'],
        node: nodes,
        opsetImport: [{ domain: '', version: 17 }],
      },
    ]
    const bytes = file({ nodes: [call('xs', 'all')], outputs: ['all'], functions })
    expect(refusal(() => decodeOnnx(bytes)).code).toBe('TooDeep')
  })
})
