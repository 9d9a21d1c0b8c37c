/**
 * Writes the sentences that the quick forms of two recipes read: `npx tsx examples/data/make-sentences.ts`. They come from the
 * small grammars below, so that no text of others lies here; the recipes' figures are those of the real files.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { Random } from 'lstm-native'

const random = new Random(2016)
const one = <T>(of: readonly T[]): T => of[Math.floor(random.uniform() * of.length)]

// German in the nominative and in the accusative, and English.
const people = [
  ['ein mann', 'einen mann', 'a man'],
  ['eine frau', 'eine frau', 'a woman'],
  ['ein kind', 'ein kind', 'a child'],
  ['ein junge', 'einen jungen', 'a boy'],
  ['ein mädchen', 'ein mädchen', 'a girl'],
  ['ein brauner hund', 'einen braunen hund', 'a brown dog'],
] as const
const doings = [
  ['sieht', 'sees'],
  ['sucht', 'looks for'],
  ['trägt', 'carries'],
  ['malt', 'paints'],
] as const
const things = [
  ['einen roten ball', 'a red ball'],
  ['ein altes fahrrad', 'an old bicycle'],
  ['eine grüne tasche', 'a green bag'],
  ['einen kleinen korb', 'a small basket'],
] as const
const places = [
  ['am strand', 'at the beach'],
  ['im park', 'in the park'],
  ['auf der straße', 'on the street'],
  ['vor einem haus', 'in front of a house'],
  ['neben dem fluss', 'next to the river'],
] as const

function captions(count: number): { de: string; en: string } {
  const pairs = Array.from({ length: count }, () => {
    const [who, doing, place] = [one(people), one(doings), one(places)]
    const isPerson = random.uniform() < 0.3
    const [whomDe, whomEn] = isPerson ? one(people).slice(1) : one(things)
    return {
      de: `${who[0]} ${doing[0]} ${whomDe} ${place[0]} .`,
      en: `${who[2]} ${doing[1]} ${whomEn} ${place[1]} .`,
    }
  })
  return { de: lines(pairs.map(({ de }) => de)), en: lines(pairs.map(({ en }) => en)) }
}

const subjects = [
  'the film',
  'this picture',
  'the story',
  'its cast',
  'the script',
  'every scene',
  'the ending',
  'the music',
]
const praise = [
  'a delight',
  'warm and clever',
  'full of life',
  'a small wonder',
  'gripping',
  'tender',
  'bright',
  'worth your evening',
]
const blame = [
  'a bore',
  'flat and noisy',
  'far too long',
  'a clumsy mess',
  'tiresome',
  'hollow',
  'stale',
  'a waste of an evening',
]
const links = ['and', 'while', 'because', 'even where']

function reviews(count: number, words: readonly string[], others: readonly string[]): string {
  return lines(
    Array.from({ length: count }, () => {
      // One in ten says the opposite: no reader is always right.
      const verdict = () => one(random.uniform() < 0.1 ? others : words)
      return `${one(subjects)} is ${verdict()} ${one(links)} ${one(subjects)} is ${verdict()} .`
    }),
  )
}

function lines(texts: readonly string[]): string {
  return `${texts.join('\n')}\n`
}

function write(name: string, text: string): void {
  writeFileSync(`${import.meta.dirname}/${name}`, text)
}

for (const folder of ['translation', 'sentiment'])
  mkdirSync(`${import.meta.dirname}/${folder}`, { recursive: true })
for (const [part, count] of [
  ['train', 160],
  ['val', 30],
  ['test_2016_flickr', 30],
] as const) {
  const { de, en } = captions(count)
  write(`translation/${part}.de`, de)
  write(`translation/${part}.en`, en)
}
write('sentiment/rt-polarity.pos', reviews(500, praise, blame))
write('sentiment/rt-polarity.neg', reviews(500, blame, praise))
