/** Scan in ONNX files, at the edges: what ONNX Runtime does with plain ones lies beside the fixtures scan_*.onnx. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeOnnx, loadOnnx } from '../lib/formats/onnx/index.ts'
import { tensor, zeros } from '../lib/index.ts'
import { body, node, value } from './support/onnx.ts'
import { file, place, refusal, scan, sums } from './support/scan.ts'

describe('a run', () => {
  const [h0, xs] = [
    tensor([1, 2]),
    tensor([
      [1, 1],
      [2, 3],
    ]),
  ]

  it('gives the states and the steps', () => {
    const outputs = decodeOnnx(file()).run({ h0, xs })
    expect(outputs.get('last')!.toArray()).toEqual([4, 6])
    expect(outputs.get('all')!.toArray()).toEqual([
      [2, 3],
      [4, 6],
    ])
  })

  it('leaves what it is given as it is', () => {
    const kept = decodeOnnx(file({ nodes: [scan({}, ['h0', 'xs'], ['last'])], outputs: ['last'] }))
    const last = kept.run({ h0, xs: zeros([0, 2]) }).get('last')!
    ;(last.data as Float32Array).fill(9)
    expect(h0.toArray()).toEqual([1, 2])
  })

  it('may take steps in proportion to what it is given', () => {
    const names = Array.from({ length: 200 }, (_, i) => `x${i}`)
    const wide = { num_scan_inputs: 200, body: body(names, [node('Neg', ['x0'], ['y'])], ['y']) }
    const reads = names.map(() => 'xs')
    const model = decodeOnnx(file({ nodes: [node('Scan', reads, ['all'], wide)], outputs: ['all'] }))
    const run = (F: number) => model.run({ h0, xs: zeros([2 ** 15, F]) }).get('all')!.shape
    expect(run(1)).toEqual([2 ** 15, 1])
    expect(refusal(() => run(0)).code).toBe('TooLarge')
  }, 60_000)

  it('prefers a name of the body to one of the graph around it', () => {
    const own = body(
      ['h0', 'x'],
      [node('Add', ['h0', 'x'], ['last']), node('Neg', ['last'], ['all'])],
      ['last', 'all'],
    )
    expect(
      decodeOnnx(file({ nodes: [scan({ body: own })] }))
        .run({ h0, xs })
        .get('all')!
        .toArray(),
    ).toEqual([
      [-2, -3],
      [-4, -6],
    ])
  })

  it('of no steps gives the first states, and outputs of the shape that the body says', () => {
    const typed = (shape: (string | number)[]) =>
      body([value('h', ['N']), 'x'], [node('Identity', ['x'], ['y'])], [value('h'), value('y', shape)])
    const run = (inside: { graph: object }) =>
      decodeOnnx(file({ nodes: [scan({ body: inside, scan_output_axes: [-1] })] })).run({
        h0,
        xs: zeros([0, 2]),
      })
    const outputs = run(typed(['N', 5]))
    expect(outputs.get('last')!.toArray()).toEqual([1, 2])
    expect(outputs.get('all')!.shape).toEqual([2, 5, 0])
    expect(run(typed(['Q'])).get('all')!.shape).toEqual([0, 0])
    const { code, message } = refusal(() => run(sums))
    expect([code, message]).toEqual([
      'NodeFailed',
      expect.stringContaining(`${place}: no steps, and its body says neither type nor shape of output 0`),
    ])
  })

  it.each<[string, object, object, string]>([
    [
      'sequences of different lengths',
      scan(
        { num_scan_inputs: 2, body: body(['a', 'b'], [node('Add', ['a', 'b'], ['y'])], ['y']) },
        ['h0', 'xs'],
        ['all'],
      ),
      { h0: zeros([3]), xs },
      'expected sequences of 3 steps, got one of 2',
    ],
    [
      'an axis that is not there',
      scan({ scan_input_axes: [2] }),
      { h0, xs },
      'expected an axis from -2 to 1, got 2',
    ],
    [
      'an axis of an output that is not there',
      scan({ scan_output_axes: [-3] }),
      { h0, xs },
      'expected an axis from -2 to 1, got -3',
    ],
    [
      'a state that grows',
      scan({ body: body(['h', 'x'], [node('Concat', ['h', 'h'], ['n'], { axis: 0 })], ['n', 'x']) }),
      { h0, xs },
      'expected state 0 of a step to be float32 [2] as before, got float32 [4]',
    ],
    [
      'a state of another type',
      scan({ body: body(['h', 'x'], [node('Cast', ['h'], ['n'], { to: 7 })], ['n', 'x']) }),
      { h0, xs },
      'got int64 [2]',
    ],
    [
      'steps of different shapes',
      scan({
        body: body(
          ['h', 'x'],
          [
            node('Cast', ['x'], ['n'], { to: 7 }),
            node('Slice', ['h', 'zero', 'n'], ['y']),
            node('Identity', ['h'], ['same']),
          ],
          ['same', 'y'],
        ),
        scan_input_axes: [0],
      }),
      { h0, xs: tensor([[1], [2]]) },
      'expected output 0 of a step to be float32 [1] as before, got float32 [2]',
    ],
  ])('refuses %s', (_, wrong, feeds, message) => {
    const zero = { name: 'zero', dims: [1], dataType: 7, rawData: new Uint8Array(8) }
    const inputs = [value('h0', ['N']), value('xs', ['T', 'F'])]
    const outputs = (wrong as { output: string[] }).output
    const model = decodeOnnx(file({ nodes: [wrong], inputs, outputs, initializers: [zero] }))
    const { code, message: told } = refusal(() => model.run(feeds as never))
    expect([code, told]).toEqual([
      'NodeFailed',
      expect.stringContaining(`${place}: ${message.startsWith('got') ? '' : message}`),
    ])
    expect(told).toContain(message)
  })

  it('tells the node of a body that fails', () => {
    const wrong = body(
      ['h', 'x'],
      [node('MatMul', ['h', 'x'], ['n']), node('Gather', ['h', 'n'], ['y'])],
      ['h', 'y'],
    )
    const { code, message } = refusal(() =>
      decodeOnnx(file({ nodes: [scan({ body: wrong })] })).run({ h0, xs }),
    )
    expect([code, message]).toEqual([
      'NodeFailed',
      expect.stringContaining('node "the Gather" (Gather, opset 17)'),
    ])
  })

  it('has no more steps than it may, also where they take no memory, and in bodies of bodies', () => {
    expect(refusal(() => decodeOnnx(file()).run({ h0: zeros([0]), xs: zeros([2 ** 26, 0]) }))).toEqual({
      code: 'TooLarge',
      message: expect.stringContaining(
        `${place}: 67108864 steps of a body of 2 nodes are more than inputs of this size may take`,
      ),
    })
    const inner = node('Scan', ['xs'], ['ys'], { num_scan_inputs: 1, body: body(['q'], [], ['q']) })
    const nested = body(['h', 'x'], [inner, node('Identity', ['x'], ['y'])], ['h', 'ys'])
    const model = decodeOnnx(file({ nodes: [scan({ body: nested })] }))
    expect(refusal(() => model.run({ h0, xs: zeros([20_000, 0]) })).code).toBe('TooLarge')
  }, 60_000)

  it('makes no more of its outputs than memory allows', () => {
    const large = body(['h', 'x'], [node('Expand', ['h', 'n'], ['y'])], ['h', 'y'])
    const n = {
      name: 'n',
      dims: [2],
      dataType: 7,
      rawData: new Uint8Array(BigInt64Array.of(2n ** 20n, 2n).buffer),
    }
    const model = decodeOnnx(file({ nodes: [scan({ body: large })], initializers: [n] }))
    expect(refusal(() => model.run({ h0, xs: zeros([2 ** 10, 2]) }))).toEqual({
      code: 'TooLarge',
      message: expect.stringContaining(`${place}: a value of shape [1024,1048576,2] takes 8589934592 bytes`),
    })
  })

  it('reads tensors of a body that lie beside the model', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnx-scan-'))
    try {
      writeFileSync(join(folder, 'data'), Float32Array.of(3, 4))
      const externalData = [{ key: 'location', value: 'data' }]
      const w = { name: 'w', dims: [2], dataType: 1, dataLocation: 1, externalData }
      const inside = body(['h', 'x'], [node('Add', ['x', 'w'], ['y'])], ['h', 'y'])
      const own = { graph: { ...inside.graph, initializer: [w] } }
      writeFileSync(join(folder, 'scan.onnx'), file({ nodes: [scan({ body: own })] }))
      const model = await loadOnnx(join(folder, 'scan.onnx'))
      expect(model.run({ h0, xs }).get('all')!.toArray()).toEqual([
        [4, 5],
        [5, 7],
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
