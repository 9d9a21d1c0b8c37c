#!/usr/bin/env bash
# Shows that the addon built here serves other versions of Node: N-API promises as much, and this holds it to that. The
# versions come from the npm package `node`; arguments name others.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 22 24
npm run --silent build:dist
for version; do
  npx --yes --package="node@$version" -- node --input-type=module -e "
    import { backend, LSTM, useBackend, zeros } from './dist/index.js'
    useBackend('native')
    const { output } = new LSTM({ inputSize: 3, hiddenSize: 5, seed: 1 }).forward(zeros([2, 4, 3]))
    if (!(Math.abs(output.data[0]) > 0)) throw new Error('expected a forecast, got ' + output.data)
    console.log('Node ' + process.version + ' runs on ' + backend().target)"
done
