"""From a call to a kernel, one stair at a time. Every module imports downwards only, so each can be read after those
below it and before those above.

    adcore.api            autodiff    compile            grad  vjp  jvp     hessian  hvp  jacobian
                              |          |                   |                  |
    what is returned          |       handles/  derivatives/functional  .../higher_order
                              |          |              /    |   (fast_path)    |
                              |          |             /     |             .../batching
    one call, and its runs    +---- calls/in_place    /  calls/sweeps           |
                                         |           /       |                  |
                                     calls/run ------    calls/call ------------+
                                                             |
    which code serves it                              specialisations
                                                             |
    compiled here or before                             compilation
                                                       /           \\
    what an earlier process left             warm_start             outcome
    the compiler                                 |                  pipeline
                                                 |                  stages, differentiation
                                                  \\                 |
    native code, loaded                            linking, inspection -> runtime's Kernel

A call goes down on the left of `compilation` without loading a stage of the compiler, where its code is in the cache.
`request` and `interface` are the data that pass between: what is asked for, and what a call has to know of a function.
"""
