// Where OpenBLAS is, for binding.gyp: asks pkg-config; prints nothing where there is none, or LSTM_NATIVE_OPENBLAS=off.
const { spawnSync } = require('node:child_process')

const question = process.argv[2] ?? '--modversion'
if (process.env.LSTM_NATIVE_OPENBLAS !== 'off') {
  const { status, stdout } = spawnSync('pkg-config', [question, 'openblas'], { encoding: 'utf8' })
  if (status === 0) console.log(stdout.trim())
}
