import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/**
 * Files with a process each: those that replace parts of the package, look at the memory of the process, or at how the addon is
 * loaded. All others share two, which saves loading the package and its addon a hundred times.
 */
const alone = [
  'arena',
  'batcher-memory',
  'batcher-queue',
  'keras-hostile',
  'missing-files',
  'native-memory',
  'onnx-hostile',
  'package',
  'packed-*',
  'safetensors-files',
  'sequences*',
  'settings',
  'soak',
  'stream',
  'tfjs-replacing',
  'workers',
  'zip',
].map((name) => `test/${name}.test.ts`)

export default defineConfig({
  resolve: {
    alias: {
      'lstm-native/audio': path('./lib/audio/index.ts'),
      'lstm-native/forecast': path('./lib/forecast/index.ts'),
      'lstm-native/formats': path('./lib/formats/index.ts'),
      'lstm-native/report': path('./lib/report/index.ts'),
      'lstm-native/serve': path('./lib/serve/index.ts'),
      'lstm-native/text': path('./lib/text/index.ts'),
      'lstm-native': path('./lib/index.ts'),
    },
  },
  test: {
    // Processes, not worker threads: the thread count and the pool are the process's.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'alone', include: alone } },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          isolate: false,
          setupFiles: ['test/support/as-at-start.ts'],
        },
      },
    ],
  },
})
