// Makes the prebuild of this platform, prebuilds/PLATFORM-ARCH/lstm-native.node: the addon that `npm install` takes
// instead of compiling one. It is built in a copy of the sources, so that the addon of the checkout stays, and without
// OpenBLAS, which the machine that installs it may lack.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js')
const stage = mkdtempSync(join(tmpdir(), 'lstm-native-prebuild-'))
try {
  for (const name of ['package.json', 'binding.gyp', 'native']) {
    cpSync(join(root, name), join(stage, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(stage, 'node_modules'))
  // Most installations of Node bring their headers along; taking those saves a download.
  const home = resolve(dirname(process.execPath), '..')
  const headers = existsSync(join(home, 'include', 'node', 'node_api.h')) ? { npm_config_nodedir: home } : {}
  const { status } = spawnSync(
    process.execPath,
    [prebuildify, '--napi', '--strip', '--target', process.version, '--cwd', stage, '--out', root],
    {
      stdio: 'inherit',
      env: { ...process.env, ...headers, JOBS: 'max', LSTM_NATIVE_OPENBLAS: 'off' },
    },
  )
  process.exitCode = status ?? 1
} finally {
  rmSync(stage, { recursive: true })
}
