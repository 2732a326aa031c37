"""Pictures of a routing world: the constellation over a map of the Earth, loads of links, packets on their way.

Its libraries, matplotlib and cartopy, are slow to import: imported only where a render mode is asked for.
"""
