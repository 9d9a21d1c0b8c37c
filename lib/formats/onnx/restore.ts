/** Files of `saveOnnx` back to their models, bit for bit: layers and options from the metadata, weights by their names. */
import { describe } from '../../errors.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import type { Layer, LayerConfig } from '../../layers/layer.ts'
import { layerFromConfig } from '../../layers/registry.ts'
import { Sequential } from '../../layers/sequential.ts'
import { configKey, configVersion, exportGraph } from './export.ts'
import type { GraphWriter } from './export-graph.ts'
import type { Fail } from './fail.ts'
import type { Extent } from './probe.ts'
import { type GraphProto, type ModelProto, modelType } from './schema.ts'
import { mostParameters } from './stack.ts'
import type { Value } from './values.ts'

/**
 * @returns the model, or undefined where the metadata has none, or the graph is not what `saveOnnx` makes of it: another
 *   program may have changed it
 * @throws {FileFormatError} InvalidConfig or UnsupportedVersion if the metadata cannot be understood
 */
export function restoreModel(
  proto: ModelProto,
  constants: ReadonlyMap<string, Value>,
  { extent, fail }: { extent: Extent; fail: Fail },
): Sequential | undefined {
  const text = proto.metadataProps.find(({ key }) => key === configKey)?.value
  if (text === undefined) return undefined
  const { model, graphs } = build(text, proto, { extent, fail })
  const graph = graphs.find((each) => isSame(proto, each, constants))
  if (!graph) return undefined
  for (const [name, { parts }] of graph.weights) {
    let start = 0
    for (const part of parts) {
      part.set(constants.get(name)!.data.subarray(start, start + part.length))
      start += part.length
    }
  }
  return model instanceof Sequential ? model : new Sequential([model])
}

/** The model, with no more parameters and nodes than the file has, and the graphs that it may have been saved as. */
function build(
  text: string,
  proto: ModelProto,
  { extent, fail }: { extent: Extent; fail: Fail },
): { model: Layer; graphs: GraphWriter[] } {
  let config: { version?: unknown; model?: unknown } | null
  try {
    config = JSON.parse(text)
  } catch (cause) {
    return fail('InvalidConfig', `its metadata ${configKey} is not valid JSON: ${(cause as Error).message}`, {
      cause,
    })
  }
  if (config?.version !== configVersion) {
    return fail(
      'UnsupportedVersion',
      `expected ${configKey} of version ${configVersion}, got ${describe(config?.version)}; a newer lstm-native may have written it`,
    )
  }
  const mostNodes = nodesOf(proto.graph!)
  try {
    const model = withoutInitialValues(
      () => layerFromConfig(config.model as LayerConfig),
      mostParameters(extent),
    )
    const graphs = [true, false].map((optionalInputs) => exportGraph(model, { optionalInputs, mostNodes }))
    return { model, graphs }
  } catch (cause) {
    return fail('InvalidConfig', `its model cannot be built: ${(cause as Error).message}`, { cause })
  }
}

/** Those of bodies among them. */
function nodesOf({ node }: GraphProto): number {
  const inner = node.flatMap(({ attribute }) => attribute.map(({ g }) => (g ? nodesOf(g) : 0)))
  return inner.reduce((sum, count) => sum + count, node.length)
}

/** Whether the file has the nodes, inputs, outputs and constants of this graph, and weights of its shapes. */
function isSame(
  { graph: found }: ModelProto,
  graph: GraphWriter,
  constants: ReadonlyMap<string, Value>,
): boolean {
  const { node, input, output, initializer } = found!
  const others = initializer.filter(({ name }) => !graph.weights.has(name))
  const fits = [...graph.weights].every(([name, { shape }]) => {
    const value = constants.get(name)
    return value?.type === graph.dataType && String(value.shape) === String(shape)
  })
  const expected = {
    node: graph.nodes,
    input: graph.inputs,
    output: graph.outputs,
    initializer: [...graph.constants],
  }
  return (
    fits &&
    others.length === expected.initializer.length &&
    bytesOf({ node, input, output, initializer: others }).equals(bytesOf(expected))
  )
}

function bytesOf(graph: object): Buffer {
  const { buffer, byteOffset, byteLength } = modelType.encode({ graph }).finish()
  return Buffer.from(buffer, byteOffset, byteLength)
}
