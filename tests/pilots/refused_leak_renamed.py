# Refused: the target stands among the inputs under another name.

# %% [markdown]
# # Who leaves?

# %%
import pandas as pd
import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score

# %%
hr = pd.read_csv('HR_comma_sep.csv')
hr.head()

# %%
hr['status'] = hr['left'].map({0: 'active', 1: 'terminated'})
hr['status'].value_counts()

# %%
hr.groupby('status').mean(numeric_only=True)

# %%
hr['salary'] = hr['salary'].map({'low': 0, 'medium': 1, 'high': 2})
hr['status_code'] = (hr['status'] == 'terminated').astype(int)
hr = pd.get_dummies(hr, columns=['Department'])

# %%
X = hr.drop(['left', 'status'], axis=1)
y = hr['left']

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)

# %%
rf = RandomForestClassifier(n_estimators=30, random_state=1)
rf.fit(X_train, y_train)
# wow
accuracy_score(y_test, rf.predict(X_test))
