/** Which steps count, where lengths and a mask say so. */

/** The mask [B·T] with the steps past each sequence's length left out too. */
export function stepsThatCount(
  { shape: [B, T] }: { shape: readonly number[] },
  { lengths, mask }: { lengths?: Int32Array; mask?: Uint8Array },
): Uint8Array | undefined {
  if (!lengths) return mask
  const counts = new Uint8Array(B * T)
  for (let b = 0; b < B; b++) counts.fill(1, b * T, b * T + lengths[b])
  return mask ? counts.map((each, row) => each & Number(mask[row] !== 0)) : counts
}
