/** Installs what the bench measures against. */
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The peers are no part of the package: they come on the first run, and again when the lock file changes. */
export function installContenders(): void {
  const folder = import.meta.dirname
  const installed = join(folder, 'node_modules', '.package-lock.json')
  const locked = statSync(join(folder, 'package-lock.json')).mtimeMs
  if (existsSync(installed) && statSync(installed).mtimeMs >= locked) return
  console.log('Installing the peers (npm ci --prefix bench --ignore-scripts)')
  const args = ['ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', args, { stdio: 'inherit' })
}
