/** Metadata as they are shown. */

/** Texts under their keys; those that hold JSON as what they say. */
export function shown(metadata: Iterable<readonly [key: string, text: string]>): Record<string, unknown> {
  return Object.fromEntries([...metadata].map(([key, text]) => [key, parsed(text)]))
}

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
