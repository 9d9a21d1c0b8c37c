import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: {
    alias: {
      'lstm-native/audio': fileURLToPath(new URL('./lib/audio/index.ts', import.meta.url)),
      'lstm-native/forecast': fileURLToPath(new URL('./lib/forecast/index.ts', import.meta.url)),
      'lstm-native/formats': fileURLToPath(new URL('./lib/formats/index.ts', import.meta.url)),
      'lstm-native/report': fileURLToPath(new URL('./lib/report/index.ts', import.meta.url)),
      'lstm-native/serve': fileURLToPath(new URL('./lib/serve/index.ts', import.meta.url)),
      'lstm-native/text': fileURLToPath(new URL('./lib/text/index.ts', import.meta.url)),
      'lstm-native': fileURLToPath(new URL('./lib/index.ts', import.meta.url)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, not worker threads: each file gets its own addon, thread count and resident set.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
