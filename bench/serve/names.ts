/** What the processes of the bench agree on. */

/** The name under which a server has its model. */
export const modelName = 'lstm'
