// Makes a checkout ready to run: installs the packages of package-lock.json and builds the addon, each only if needed.
// Every npm script that runs code calls it first, so that a fresh clone needs no other command. It is for checkouts
// alone; whoever installs the package from npm gets a prebuild, or a build, from its install script.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)
const addon = join(root, 'build', 'Release', 'lstm_native.node')

const packagesMissing = whyInstall()
if (packagesMissing) {
  console.log(`setup: ${packagesMissing}: running npm ci`)
  // The addon is built below, with the reason and every core, not by the install script.
  run('npm', ['ci', '--ignore-scripts'])
}
const addonMissing = whyBuild()
if (addonMissing) {
  console.log(`setup: ${addonMissing}: building the addon, which takes a minute or two`)
  build()
  const stillMissing = whyBuild()
  if (stillMissing) fail(`the addon was built, but ${stillMissing}`)
}

/** Why `npm ci` must run: a package of the lock file is absent or of another version. Undefined if all is there. */
function whyInstall() {
  const installedPath = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return 'node_modules is missing'
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    // Optional packages are those of other platforms, among others: npm decides about them.
    if (path && !optional && installed[path]?.version !== version) return `${path} is not version ${version}`
  }
  return undefined
}

/** Why the addon must be built. Undefined if it is newer than its sources and loads. */
function whyBuild() {
  if (!existsSync(addon)) return 'the addon is not built yet'
  const built = statSync(addon).mtimeMs
  const changed = sources().find((path) => statSync(path).mtimeMs > built)
  if (changed) return `${changed.slice(root.length + 1)} is newer than the addon`
  try {
    require(addon)
  } catch (error) {
    return `the addon does not load (${error.message.split('\n')[0]})`
  }
  return undefined
}

/** The files that the addon is made of. */
function sources() {
  const native = join(root, 'native')
  const files = readdirSync(native, { recursive: true })
    .filter((name) => /\.(cc|h|gypi|cjs)$/.test(name) && !/^test[\\/]/.test(name))
    .map((name) => join(native, name))
  return [join(root, 'binding.gyp'), ...files]
}

function build() {
  const missing = [['g++', 'c++', 'clang++'], ['make', 'gmake'], ['python3']].filter(
    (names) => !names.some(onPath),
  )
  if (missing.length > 0) {
    const list = missing.map(([first]) => first).join(', ')
    fail(
      `building the addon needs g++, make and python3, and ${list} cannot be found. ` +
        'On Debian and Ubuntu: apt-get install g++ make python3',
    )
  }
  const nodeGyp = join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js')
  const args = ['configure', 'build', '--jobs=max']
  // Most installations of Node bring the headers along; taking those saves a download.
  const home = resolve(dirname(process.execPath), '..')
  if (existsSync(join(home, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${home}`)
  run(process.execPath, [nodeGyp, ...args])
  // make leaves the addon alone if what changed does not reach it; its time says what it was compared with.
  utimesSync(addon, new Date(), new Date())
}

function onPath(name) {
  return process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, name)))
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) fail(`${command} could not be started: ${error.message}`)
  if (status !== 0) fail(`${command} ${args.join(' ')} failed; its output stands above`)
}

function fail(message) {
  console.error(`setup: ${message}`)
  process.exit(1)
}
