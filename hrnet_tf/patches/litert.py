"""Lists the operations that LiteRT's interpreter runs; only a private method returns them."""


def operations(interpreter: object) -> list[dict]:
    """Name, index, inputs and outputs of each operation of an interpreter, in the order it runs.

    The operations of the file come first, then a DELEGATE for each part of the graph that a
    delegate runs in their place.
    """
    return interpreter._get_ops_details()
