# The result of a match: three classes that `apply(axis=1)` makes of two columns of goals, and an encoder on them.

# %% [markdown]
# # Who wins?

# %%
import pandas as pd
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, StandardScaler

# %%
matches = pd.read_csv('matches.csv', parse_dates=['Date'])
matches.head()

# %%
def get_result(row):
    if row['FTHG'] > row['FTAG']:
        return 'Home'
    elif row['FTHG'] < row['FTAG']:
        return 'Away'
    return 'Draw'

matches['result'] = matches.apply(get_result, axis=1)
matches['result'].value_counts()

# %%
matches['month'] = matches['Date'].dt.month
matches['strength'] = matches['HomeRank'] - matches['AwayRank']
matches['Referee'] = matches['Referee'].fillna('unknown')
matches.drop(['Date', 'Referee'], axis=1, inplace=True)

# %%
le = LabelEncoder()
y = le.fit_transform(matches['result'])
X = pd.get_dummies(matches.drop(['FTHG', 'FTAG', 'result', 'Attendance'], axis=1), columns=['Ground'])

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=7)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_test = scaler.transform(X_test)

# %%
clf = LogisticRegression(max_iter=1000)
clf.fit(X_train, y_train)
pred = clf.predict(X_test)
print(accuracy_score(y_test, pred))
print(confusion_matrix(y_test, pred))
