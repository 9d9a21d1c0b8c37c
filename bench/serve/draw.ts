/** Numbers for inputs. */
import type { Random } from '../../lib/random.ts'

/** Values in [-1, 1). */
export function draw(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => 2 * random.uniform() - 1)
}
