/**
 * The embedded Reber grammar, experiment 1 of Hochreiter & Schmidhuber, "Long short-term memory", Neural Computation
 * 9(8), 1997, after Cleeremans, Servan-Schreiber & McClelland (1989).
 *
 * A Reber string is a walk through the graph below from B to E. An embedded one is B, then T or P, then a Reber string,
 * then the same T or P again, then E: whoever predicts the last but one symbol must remember the second.
 */
import type { Random } from 'lstm-native'

export const symbols = ['B', 'T', 'P', 'S', 'X', 'V', 'E'] as const
export type ReberSymbol = (typeof symbols)[number]

/** Of each node the symbols that may follow and where they lead; node 7 ends the string. */
const graph: readonly (readonly (readonly [ReberSymbol, number])[])[] = [
  [['B', 1]],
  [
    ['T', 2],
    ['P', 3],
  ],
  [
    ['S', 2],
    ['X', 4],
  ],
  [
    ['T', 3],
    ['V', 5],
  ],
  [
    ['X', 3],
    ['S', 6],
  ],
  [
    ['P', 4],
    ['V', 6],
  ],
  [['E', 7]],
]

export interface ReberString {
  symbols: readonly ReberSymbol[]
  /** `successors[t]`: what may follow symbol t; one item fewer than symbols. */
  successors: readonly (readonly ReberSymbol[])[]
}

/** An embedded Reber string; at every fork both ways are equally likely. */
export function reberString(random: Random): ReberString {
  const frame: ReberSymbol = random.integer(2) === 0 ? 'T' : 'P'
  const written: ReberSymbol[] = ['B', frame]
  const successors: (readonly ReberSymbol[])[] = [['T', 'P']]
  for (let node = 0; node < graph.length; ) {
    const edges = graph[node]
    const [symbol, next] = edges[random.integer(edges.length)]
    successors.push(edges.map(([each]) => each))
    written.push(symbol)
    node = next
  }
  return { symbols: [...written, frame, 'E'], successors: [...successors, [frame], ['E']] }
}

/** So many strings, none of them twice, and none that is in `besides`. */
export function reberStrings(
  count: number,
  random: Random,
  besides: readonly ReberString[] = [],
): ReberString[] {
  const seen = new Set(besides.map(({ symbols }) => symbols.join('')))
  const strings: ReberString[] = []
  while (strings.length < count) {
    const string = reberString(random)
    const text = string.symbols.join('')
    if (seen.has(text)) continue
    seen.add(text)
    strings.push(string)
  }
  return strings
}
