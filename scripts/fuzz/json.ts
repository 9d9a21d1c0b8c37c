/** JSON as a tree that may be wrong in ways that values of JavaScript cannot: names twice, numbers of any length. */
import type { Mutation } from './mutation.ts'

type Json =
  | { text: string }
  | { items: Json[] }
  | { entries: [name: string, value: Json][] }
  | { inside: Json }

interface Slot {
  get(): Json
  set(value: Json): void
  parent: Json
  index: number
}

/** Changes a JSON text at one of its nodes; JSON in strings of it counts as nodes too. */
export function mutateJson(text: string, mutation: Mutation): string {
  const root = { items: [toTree(JSON.parse(text))] }
  const slots: Slot[] = []
  collect(root, slots)
  change(slots, mutation)
  return root.items.map(print).join('')
}

/** Whether it is JSON to change; what was made to nest without end is left as it is. */
export function isJson(text: string): boolean {
  if (!/^[{[]/.test(text) || (text.match(/[[{]/g) ?? []).length > 3000) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function toTree(value: unknown): Json {
  if (Array.isArray(value)) return { items: value.map(toTree) }
  if (value !== null && typeof value === 'object')
    return { entries: Object.entries(value).map(([name, each]) => [name, toTree(each)]) }
  if (typeof value === 'string' && isJson(value)) return { inside: toTree(JSON.parse(value)) }
  return { text: JSON.stringify(value) }
}

function print(json: Json): string {
  if ('text' in json) return json.text
  if ('items' in json) return `[${json.items.map(print).join(',')}]`
  if ('inside' in json) return JSON.stringify(print(json.inside))
  return `{${json.entries.map(([name, value]) => `${JSON.stringify(name)}:${print(value)}`).join(',')}}`
}

function collect(json: Json, slots: Slot[]): void {
  const add = (value: Json, index: number, set: (value: Json) => void, get: () => Json) => {
    slots.push({ parent: json, index, set, get })
    collect(value, slots)
  }
  if ('items' in json) {
    for (const [i, each] of json.items.entries())
      add(
        each,
        i,
        (value) => (json.items[i] = value),
        () => json.items[i],
      )
  } else if ('entries' in json) {
    for (const [i, entry] of json.entries.entries())
      add(
        entry[1],
        i,
        (value) => (entry[1] = value),
        () => entry[1],
      )
  } else if ('inside' in json) {
    add(
      json.inside,
      0,
      (value) => (json.inside = value),
      () => json.inside,
    )
  }
}

const odd = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '""',
  '0',
  '-0',
  '0.5',
  '-1',
  '1e400',
  '1e21',
  '[[]]',
  '[null]',
  '{"__proto__":{"a":1}}',
]

function change(slots: readonly Slot[], { kind, where, other, number, text }: Mutation): void {
  const slot = slots[where % slots.length]
  const second = slots[other % slots.length]
  const { parent, index } = slot
  const value = slot.get()
  switch (kind % 12) {
    case 0:
      slot.set({ text: odd[other % odd.length] })
      break
    case 1:
      slot.set({ text: String(number) })
      break
    case 2:
      slot.set({ text: JSON.stringify(text) })
      break
    case 3:
      if ('items' in parent) parent.items.splice(index, 1)
      else if ('entries' in parent) parent.entries.splice(index, 1)
      break
    case 4:
      if ('items' in parent) parent.items.push(...Array(1 + (other % 3) ** 6).fill(value))
      else if ('entries' in parent)
        parent.entries.push([parent.entries[index][0], { text: print(second.get()) }])
      break
    case 5:
      if ('entries' in parent) parent.entries[index][0] = text
      break
    case 6:
      if ('entries' in parent && 'entries' in second.parent)
        parent.entries[index][0] = second.parent.entries[second.index][0]
      break
    case 7:
      // A copy, so that the tree stays one.
      slot.set({ text: print(second.get()) })
      break
    case 8: {
      const copy = print(second.get())
      second.set({ text: print(value) })
      slot.set({ text: copy })
      break
    }
    case 9: {
      const depth = [1, 3, 130, 5000][other % 4]
      const [open, close] = kind & 16 ? ['[', ']'] : ['{"a":', '}']
      slot.set({ text: open.repeat(depth) + print(value) + close.repeat(depth) })
      break
    }
    case 10:
      if ('text' in value && Number.isFinite(Number(value.text)))
        slot.set({ text: String(Number(value.text) * [2, -1, 0.5, 1e9][other % 4]) })
      break
    default:
      if ('text' in value && Number.isFinite(Number(value.text)))
        slot.set({ text: String(Number(value.text) + [1, -1, 0.5, 7][other % 4]) })
      break
  }
}
