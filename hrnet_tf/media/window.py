"""A window that shows a video while it is being made."""

import numpy as np
from PIL import Image


class Window:
    """A window on the screen, as large as its picture but at most 3/4 of each side of the screen.

    Attributes:
        closed: whether the user has closed it, or pressed Escape or q.

    Raises:
        OSError: there is no screen, or Python came without tkinter.
    """

    def __init__(self, title: str):
        try:
            import tkinter

            self._root = tkinter.Tk()
        except Exception as error:  # ImportError or tkinter's TclError
            raise OSError(f"no window can be shown ({error}).") from error
        self._root.title(title)
        self._label = tkinter.Label(self._root, borderwidth=0)
        self._label.pack()
        self.closed = False
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("<Escape>", "q"):
            self._root.bind(key, lambda _: self.close())

    def show(self, image: np.ndarray) -> None:
        """Shows a picture (H, W, 3) uint8 RGB."""
        if self.closed:
            return
        from PIL import ImageTk

        screen = self._root.winfo_screenwidth(), self._root.winfo_screenheight()
        picture = Image.fromarray(image)
        picture.thumbnail((0.75 * screen[0], 0.75 * screen[1]), Image.Resampling.BILINEAR)
        self._picture = ImageTk.PhotoImage(picture, master=self._root)  # Tk does not keep it
        self._label.configure(image=self._picture)
        self._root.update()

    def close(self) -> None:
        """Closes the window; a second time does nothing."""
        if not self.closed:
            self.closed = True
            self._root.destroy()
