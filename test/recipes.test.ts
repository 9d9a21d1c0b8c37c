/** Every recipe in its quick form: it runs, meets its figures and writes a whole report; and what the command refuses. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { pathIn, readCommand } from '../examples/support/command.ts'
import { main } from '../examples/support/main.ts'
import { isMet, type Recipe } from '../examples/support/recipe.ts'
import type { Result } from '../examples/support/results.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), 'recipes-'))
afterAll(() => rmSync(folder, { recursive: true }))

const names = readdirSync(join(root, 'examples')).filter((name) =>
  existsSync(join(root, 'examples', name, 'index.ts')),
)

/** The command in this process. */
async function recipe(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  const terminal = {
    out: (text: string) => void (stdout += text),
    error: (text: string) => void (stderr += text),
  }
  return { status: await main(args, terminal), stdout, stderr }
}

const results = join(root, 'examples/results.json')
const recorded = readFileSync(results, 'utf8')

describe('each recipe, in its quick form', () => {
  it.each(names)('%s', { timeout: 120_000 }, async (name) => {
    const report = join(folder, `${name}.html`)
    const { status, stdout, stderr } = await recipe(name, '--quick', '--check', '--json', '--report', report)
    expect(stderr).not.toMatch(/Error/)
    const result = JSON.parse(stdout)
    expect(result.figures.filter(({ met }: { met: boolean }) => !met)).toEqual([])
    expect(status).toBe(0)
    expect(result).toMatchObject({ name, quick: true, met: true })
    expect(result.figures.length).toBeGreaterThan(0)
    const html = readFileSync(report, 'utf8')
    expect(html).toContain('<h2>The run</h2>')
    // Whatever a recipe puts into its report, it stands in one file and holds numbers.
    expect(html.replaceAll(/xmlns(:\w+)?="[^"]+"/g, '')).not.toMatch(/<script|<link|<img|@import|url\(/)
    expect(html).not.toMatch(/\bNaN\b|undefined|\[object/)
  })

  it('leaves the recorded figures alone', () => {
    expect(readFileSync(results, 'utf8')).toBe(recorded)
  })
})

describe('the command', () => {
  it.each([
    ['a name unknown', ['addition'], /^recipe: there is no recipe "addition"; choose one of: adding/],
    ['no name', [], /^recipe: no name was given/],
    ['an option unknown', ['adding', '--size', '3'], /^adding: Unknown option '--size'/],
    [
      'a number that is none',
      ['adding', '--lengths', 'ten'],
      /adding: --lengths: expected an integer of at least 20, got "ten"\n$/,
    ],
    [
      'a bad seed',
      ['adding', '--seeds', '1,-2'],
      /^adding: --seeds: expected an integer of at least 0, got "-2"/,
    ],
  ])('refuses %s with code 2', async (_, args, message) => {
    const { status, stderr, stdout } = await recipe(...args)
    expect(stderr).toMatch(message)
    expect([status, stdout]).toEqual([2, ''])
  })

  it('lists every recipe with what it showed last, also as JSON', async () => {
    const { stdout } = await recipe('--list')
    for (const name of names) expect(stdout).toMatch(new RegExp(`^${name}: \\S`, 'm'))
    const listed = JSON.parse((await recipe('--list', '--json')).stdout)
    expect(Object.keys(listed)).toEqual(names)
  })

  it('records only full runs as the recipe has them', () => {
    const plain = { name: 'plain', options: { size: { type: 'string', default: '3', description: '' } } }
    const standard = (...args: string[]) => readCommand(plain as unknown as Recipe, args).isStandard
    expect([standard(), standard('--json', '--data', '/data'), standard('--size', '3')]).toEqual([
      true,
      true,
      true,
    ])
    expect([standard('--seeds', '1'), standard('--size', '4')]).toEqual([false, false])
  })

  it('says which data file is missing and how to name its folder', () => {
    const command = (...args: string[]) => readCommand({ name: 'plain' } as Recipe, args)
    expect(() => pathIn(command('--data', '/nowhere'))('series/none.csv')).toThrow(
      /^\/nowhere\/series\/none.csv: expected a data file, got none; name the folder .* with --data DIR/,
    )
    expect(() => pathIn(command('--quick'))('none.csv')).toThrow(
      /examples\/data\/none.csv: expected a data file/,
    )
  })

  it('tells the options of a recipe, also as a process', async () => {
    const argv = ['--import', 'tsx', join(root, 'examples/recipe.ts')]
    const { stdout } = await promisify(execFile)(process.execPath, [...argv, 'adding', '--help'])
    expect(stdout).toMatch(/--lengths VALUE +nominal .*\(default: 100,500,1000\)[\s\S]*--quick/)
    const refused = promisify(execFile)(process.execPath, [...argv, 'addition'])
    await expect(refused).rejects.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^recipe: there is no recipe/),
    })
  })

  it('has recorded figures that agree with their bounds', () => {
    const last: Record<string, Result> = JSON.parse(recorded)
    expect(Object.keys(last).filter((name) => !names.includes(name))).toEqual([])
    for (const { figures, met } of Object.values(last)) {
      for (const figure of figures) expect(isMet(figure)).toBe(figure.met)
      expect(met).toBe(figures.every((figure) => figure.met))
    }
  })
})
