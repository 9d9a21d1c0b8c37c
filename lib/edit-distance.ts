/** How far one sequence is from another, in insertions, deletions and substitutions. */

export interface EditDistance {
  /** substitutions + insertions + deletions, as few as there can be. */
  total: number
  substitutions: number
  /** Items of the hypothesis that the reference lacks. */
  insertions: number
  /** Items of the reference that the hypothesis lacks. */
  deletions: number
}

type Kind = 'substitutions' | 'insertions' | 'deletions'

/**
 * The edits that make `hypothesis` of `reference` (Levenshtein 1966), by ===. Where several ways are equally short, it is the
 * one that substitutes where it can. Time |reference|·|hypothesis|, memory |hypothesis|.
 */
export function editDistance<T>(reference: ArrayLike<T>, hypothesis: ArrayLike<T>): EditDistance {
  const none: EditDistance = { total: 0, substitutions: 0, insertions: 0, deletions: 0 }
  let row = [none]
  for (let j = 0; j < hypothesis.length; j++) row.push(add(row[j], 'insertions'))
  for (let i = 0; i < reference.length; i++) {
    const next = [add(row[0], 'deletions')]
    for (let j = 0; j < hypothesis.length; j++) {
      if (reference[i] === hypothesis[j]) {
        next.push(row[j])
        continue
      }
      const [both, inserted, deleted] = [row[j], next[j], row[j + 1]]
      const least = Math.min(both.total, inserted.total, deleted.total)
      if (both.total === least) next.push(add(both, 'substitutions'))
      else if (inserted.total === least) next.push(add(inserted, 'insertions'))
      else next.push(add(deleted, 'deletions'))
    }
    row = next
  }
  return row[hypothesis.length]
}

function add(before: EditDistance, kind: Kind): EditDistance {
  return { ...before, total: before.total + 1, [kind]: before[kind] + 1 }
}
