"""What stands on a page that has nothing yet: one sentence, and the way to what belongs there."""

import streamlit as st

from lib.core.access import Action, may


def models() -> None:
    """For the Models page; the first steps themselves are on Home."""
    if not may(Action.DEPLOY):
        st.caption("The models that the owner lets guests use stand here. There are none now.")
        return
    st.caption("Every model that is on this machine stands here, with what it takes and does.")
    with st.container(horizontal=True):
        if st.button("Deploy a model", icon=":material/rocket_launch:", key="empty_deploy"):
            st.switch_page("pages/1_Deploy.py")
        if st.button("Begin with a small one", type="tertiary", key="empty_home"):
            st.switch_page("Home.py")
