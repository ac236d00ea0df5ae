"""The operations that LiteRT's interpreter runs, which only a private method tells."""


def operations(interpreter: object) -> list[dict]:
    """Name, index, inputs and outputs of each operation of an interpreter, in the order it runs.

    The operations of the file come first, then a DELEGATE for each part of the graph that replaces
    some of them.
    """
    return interpreter._get_ops_details()
