"""Everything that draws, or touches st.session_state."""
