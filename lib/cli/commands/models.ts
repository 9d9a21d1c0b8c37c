/** `lstm inspect` and `lstm convert` as commands: their options and help. */
import type { Command } from 'commander'
import { integer } from '../parsers.ts'
import type { Terminal } from '../terminal.ts'
import { examples, jsonOption } from './help.ts'

const anyFormat = 'safetensors, .keras, .h5, .onnx, or the folder or model.json of TensorFlow.js'

export function addInspect(command: Command, terminal: Terminal): void {
  command
    .argument('<file>', anyFormat)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples('lstm inspect monthly-sunspots.safetensors', 'lstm inspect model.onnx --json'),
    )
    .action(async (file, options) => (await import('../inspect.ts')).inspect(file, options, terminal))
}

export function addConvert(command: Command, terminal: Terminal): void {
  command
    .argument('<in>', anyFormat)
    .argument(
      '<out>',
      'NAME.safetensors, or .pytorch.safetensors for PyTorch, .keras, .weights.h5, .onnx, .tfjs',
    )
    .option(
      '--specification <file>',
      'JSON: the layers, where the file holds weights only; lstm inspect proposes them',
    )
    .option(
      '--steps <count>',
      'length of every sequence, where Keras or TensorFlow.js must know it (Flatten)',
      integer(),
    )
    .option(
      '--required-inputs',
      'ONNX: lengths and states must be given, as onnxruntime-node needs it to take them at all',
    )
    .option('--force', 'replace what is there')
    .addHelpText(
      'after',
      examples(
        'lstm convert model.keras model.onnx',
        'lstm convert state-dict.safetensors model.safetensors --specification layers.json',
        'lstm convert model.onnx model.tfjs --force',
        'lstm convert model.safetensors model.onnx --required-inputs',
      ),
    )
    .action(async (from, to, options) => (await import('../convert.ts')).convert(from, to, options, terminal))
}
