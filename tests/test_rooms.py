"""Who may import whom, who may name a task, and what an import costs."""

# Room -> the modules in it, and the rooms that they may import besides their own. Rooms stand in
# the order of the building: a room knows only rooms above its row.
LOW = ("low",)
ROOMS = {
    "low": (r"hrnet_tf\.(labels|files|names|quiet|fields)\b", ()),
    "patches": (r"hrnet_tf\.patches\b", ()),
    "networks": (r"hrnet_tf\.networks\b", LOW),
    "weights": (r"hrnet_tf\.weights\b", LOW),
    "runtime": (r"hrnet_tf\.runtime\b", ("low", "patches")),
    "media": (r"hrnet_tf\.media\b", LOW),
    "cards": (r"hrnet_tf\.tasks\.\w+\.(card|options|codecs)\b", ("low", "tasks")),
    "tasks": (r"hrnet_tf\.tasks(\.(task|card|card_files|drawing|streaming))?$", ("low", "runtime")),
    "presets": (r"hrnet_tf\.presets\b", ("low", "networks", "weights", "tasks", "cards")),
    "opening": (r"hrnet_tf\.opening$", ("low", "runtime", "presets", "tasks", "cards")),
    "prediction": (r"hrnet_tf\.prediction\b", ("low", "media", "tasks")),
    "task": (
        r"hrnet_tf\.tasks\.\w+\b",
        ("low", "patches", "runtime", "media", "tasks", "cards", "opening"),
    ),
}
