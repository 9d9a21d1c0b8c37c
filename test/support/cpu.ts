/** What a task takes of the CPU: the clock on the wall also counts what else the machine does. */

/** Milliseconds of this process since `begin`, from `process.cpuUsage()`. */
export function cpuMilliseconds(begin: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(begin)
  return (user + system) / 1000
}
