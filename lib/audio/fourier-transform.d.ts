/** The package comes without types. */
declare module 'fourier-transform' {
  /**
   * The discrete Fourier transform of real numbers, a power of 2 of them, not normalised: real and imaginary parts, N/2 + 1
   * each, in buffers that the next call of the same size overwrites.
   */
  export function fft(input: Float64Array): [re: Float64Array, im: Float64Array]
}
