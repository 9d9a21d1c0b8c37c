/** Writes HDF5 files with the HDF5 library, in WebAssembly, which is loaded when it is needed. */

export interface Hdf5Group {
  /** From the root: `/layers/lstm`. */
  path: string
  attributes?: Readonly<Record<string, string>>
  datasets?: readonly { name: string; shape: readonly number[]; data: Float32Array }[]
}

let files = 0

/** The bytes of a file of these groups; those above them are made. */
export async function encodeHdf5(groups: Iterable<Hdf5Group>): Promise<Uint8Array> {
  const library = await import('h5wasm')
  const { FS } = await library.ready
  // The library's own file system, in memory, where no two may write the same file.
  const name = `/${files++}.h5`
  const file = new library.File(name, 'w')
  try {
    const made = new Set<string>()
    for (const { path, attributes = {}, datasets = [] } of groups) {
      const steps = path.split('/').slice(1)
      for (const i of steps.keys()) {
        const group = `/${steps.slice(0, i + 1).join('/')}`
        if (!made.has(group)) file.create_group(group)
        made.add(group)
      }
      const group = file.get(path) as InstanceType<typeof import('h5wasm').Group>
      for (const [key, value] of Object.entries(attributes)) group.create_attribute(key, value)
      for (const { name, shape, data } of datasets)
        group.create_dataset({ name, data, shape: [...shape], dtype: '<f4' })
    }
  } finally {
    file.close()
  }
  const bytes = FS.readFile(name)
  FS.unlink(name)
  return bytes
}
