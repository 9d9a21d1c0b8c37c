/** What the bench and the process of a contender say to each other, one JSON object a line. */
import type { Case } from './cases.ts'
import type { Entry } from './problem.ts'

export type Request = PrepareRequest | TimeRequest

/** Load the case, run it `repetitions` times, and write what came out to the file `results`. */
export interface PrepareRequest {
  command: 'prepare'
  case: Case
  threads: number
  /** Where the inputs lie, and which. */
  file: string
  tensors: Entry[]
  lengths: number[] | null
  results: string
  repetitions: number
}

/** Repeat for about `seconds`. A sample is the mean of `inner` repetitions; `warm` runs once before the clock starts. */
export interface TimeRequest {
  command: 'time'
  seconds: number
  inner: number
  warm: boolean
}

export interface PrepareReply {
  description: string
  tensors: Entry[]
}

export interface TimeReply {
  /** Seconds a repetition. */
  samples: number[]
  /** Processor seconds used since the last reply: what threads burn while they wait for work. */
  idle: number
  /** Largest resident set in bytes, after loading the library and until now. */
  memory: { imported: number; peak: number }
}

export type Reply = PrepareReply | TimeReply
