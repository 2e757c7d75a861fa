
sessions/take-1