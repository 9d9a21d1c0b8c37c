/** What all measurements share. */
import type { Limits } from '../roofline/roofline.ts'

export interface Settings {
  /** Measuring time of a point: of one contender at one load. */
  seconds: number
  /** Turns it is cut into. */
  rounds: number
  /** Of overload. */
  overloadSeconds: number
  limits: Limits
  cores: number
}

/** Measures the contenders in turns, each round beginning with another one, so that a slow minute falls on all alike. */
export async function takeTurns<Contender, Result>(
  contenders: readonly Contender[],
  rounds: number,
  measure: (contender: Contender) => Promise<Result>,
): Promise<Map<Contender, Result[]>> {
  const results = new Map<Contender, Result[]>(contenders.map((each) => [each, []]))
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length]
      results.get(contender)!.push(await measure(contender))
    }
  }
  return results
}

/** Floating-point operations a second of the widest instruction set in registers: nothing computes faster. */
export function peak({ limits }: Settings, threads: number): number {
  return Object.values(limits.fma).at(-1)![threads] * 1e9
}
