/** What a person can put right: a file, a column, a cell or an option. The command ends with code 2 on it. */
export class InputError extends Error {
  override readonly name = 'InputError'
}
