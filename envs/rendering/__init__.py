"""Pictures of a routing world: the constellation over a map of the Earth, loads of links, packets on their way.

Needs the extra `render` (matplotlib comes with LEOMix, cartopy with the extra); imported only where a render mode is
asked for.
"""
