/** How readers refuse: what they throw has a code. */
import { FileFormatError } from '../../lib/errors.ts'

/** What a call throws: the code and message of a FileFormatError. */
export function refusal(call: () => unknown): { code: string; message: string } {
  try {
    call()
  } catch (error) {
    if (error instanceof FileFormatError) return error
    throw error
  }
  return { code: 'nothing thrown', message: '' }
}

export const codeOf = (call: () => unknown) => refusal(call).code
