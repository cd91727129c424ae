"""Live credential states that a worker holds, bounded, and dropped when the change log names them."""

from collections import OrderedDict

from keyhouse.credentials.state import State

CAPACITY = 32768


class StateCache:
    """States by credential id, the least recently used one leaving first. Holds nothing of what does not live."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._states: OrderedDict[str, State] = OrderedDict()
        self._of_user: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._states)

    def get(self, credential_id: str) -> State | None:
        state = self._states.get(credential_id)
        if state is not None:
            self._states.move_to_end(credential_id)
        return state

    def put(self, state: State) -> None:
        self.forget(state.credential_id)
        self._states[state.credential_id] = state
        self._of_user.setdefault(state.user_id, set()).add(state.credential_id)
        if len(self._states) > self._capacity:
            self.forget(next(iter(self._states)))

    def forget(self, credential_id: str) -> None:
        state = self._states.pop(credential_id, None)
        if state is None:
            return
        ids = self._of_user[state.user_id]
        ids.discard(credential_id)
        if not ids:
            del self._of_user[state.user_id]

    def forget_user(self, user_id: str) -> None:
        for credential_id in tuple(self._of_user.get(user_id, ())):
            self.forget(credential_id)

    def clear(self) -> None:
        self._states.clear()
        self._of_user.clear()
